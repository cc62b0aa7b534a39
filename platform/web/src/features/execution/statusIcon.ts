/** The tab's icon carries a dot in the colour of the execution's status while its page is open. */
import { useEffect } from 'react'
import type { Tone } from '../../design/Status'

const side = 32

function draw(context: CanvasRenderingContext2D, image: HTMLImageElement, tone: Tone): void {
  const colour = getComputedStyle(document.documentElement).getPropertyValue(`--${tone}`).trim()
  context.drawImage(image, 0, 0, side, side)
  context.beginPath()
  context.arc(side - 8, side - 8, 7.5, 0, Math.PI * 2)
  context.fillStyle = colour
  context.fill()
}

export function useStatusIcon(tone: Tone): void {
  useEffect(() => {
    const link = document.querySelector<HTMLLinkElement>('link[rel="icon"]')
    const canvas = document.createElement('canvas')
    canvas.width = side
    canvas.height = side
    const context = canvas.getContext('2d')
    if (!link || !context) return
    let gone = false
    const image = new Image()
    image.onload = () => {
      if (gone) return
      draw(context, image, tone)
      link.type = 'image/png'
      link.href = canvas.toDataURL('image/png')
    }
    image.src = '/favicon.svg'
    return () => {
      gone = true
      link.type = 'image/svg+xml'
      link.href = '/favicon.svg'
    }
  }, [tone])
}
